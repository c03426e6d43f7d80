"""Check answers to exercises: say what is missing, never raise at a student.

Each module of this package holds the checks of one notebook. A check calls the
answer with small examples and refuses it with a reason that names the mistake.
"""

from ps_helpers.checks.verdict import check, grade, keep_check

keep_check()
__all__ = ["check", "grade"]
