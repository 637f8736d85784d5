"""The verbs of rareseg, the same in Python and on the command line: each composes stages and writes records.

Everywhere, `output` is where records go, `overwrite` replaces what is there already (without it that is refused), and
`progress` is who shows progress; None shows nothing.
"""

from rareseg.showing import notebook
from rareseg.verbs.diagnosing import diagnose
from rareseg.verbs.mapping import demo, predict
from rareseg.verbs.scoring import evaluate, report
from rareseg.verbs.study import audit, plan
from rareseg.verbs.training import compare, train

__all__ = ["audit", "compare", "demo", "diagnose", "evaluate", "plan", "predict", "report", "train"]

notebook.register()
