"""Makes the scripts that complete ``jhpatch``: ``python tools/completions.py`` (needs shtab)."""

import os
import sys

import shtab

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from jhpatch.cli import parser
from jhpatch.commands import completion

# ``python -m jhpatch``, completed as ``jhpatch``. Everything else after ``python`` is completed
# as before: in bash by the function of bash-completion, or else with the names of files.
OF_PYTHON = {
    "bash": """
_jhpatch_of_python() {
  local at
  for ((at = 1; at + 1 < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at]} == -* ]] || break
    [[ ${COMP_WORDS[at]} == -m ]] || continue
    [[ ${COMP_WORDS[at + 1]} == jhpatch ]] || break
    COMP_WORDS=(jhpatch "${COMP_WORDS[@]:at + 2}")
    COMP_CWORD=$((COMP_CWORD - at - 1))
    _shtab_jhpatch
    return
  done
  if ! declare -F _python >/dev/null && declare -F __load_completion >/dev/null; then
    __load_completion python
    complete -o bashdefault -o default -F _jhpatch_of_python python python3
  fi
  if declare -F _python >/dev/null; then _python "$@"; else COMPREPLY=(); fi
}

complete -o bashdefault -o default -F _jhpatch_of_python python python3
""",
    "zsh": """
_jhpatch_of_python() {
  local at=${words[(i)-m]}
  if (( at + 1 < CURRENT )) && [[ ${words[at + 1]} == jhpatch ]]; then
    words=(jhpatch "${(@)words[at + 2,-1]}")
    (( CURRENT -= at ))
    _shtab_jhpatch
  else
    _python
  fi
}

if [[ $zsh_eval_context[-1] == eval ]]; then
  compdef _jhpatch_of_python python python3
fi
""",
    "fish": """
function _jhpatch_of_python
    string replace --regex -- '^.*? -m jhpatch ' 'jhpatch ' (commandline --cut-at-cursor)
end
for python in python python3
    complete -c $python -n 'commandline --cut-at-cursor | string match -q -- "* -m jhpatch *"' \\
        -f -a '(complete --do-complete (_jhpatch_of_python))'
end
""",
}


def made(shell: str) -> str:
    """Return the script for a shell."""
    text: str = shtab.complete(parser.parser(None, whole=True), shell)
    return "\n".join(map(str.rstrip, (text + OF_PYTHON[shell]).splitlines())) + "\n"


if __name__ == "__main__":
    for name in completion.SHELLS:
        with open(os.path.join(completion.DIRECTORY, "jhpatch." + name), "w") as file:
            file.write(made(name))
