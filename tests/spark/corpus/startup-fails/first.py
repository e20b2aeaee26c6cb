raise RuntimeError("the licence of the site has expired")
