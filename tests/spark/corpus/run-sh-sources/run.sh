#!/bin/sh
. <HERE>/site.sh
exec <PYTHON> -m ipykernel_launcher "$@"
