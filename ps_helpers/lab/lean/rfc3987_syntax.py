"""Stands before the package of this name in the processes of Ray: see session.py.

jsonschema imports that package if it can, Ray imports jsonschema, and nobody asks
what it is there for, to check international addresses: it builds its grammar for one
second of a core and 17 MB, in each process.
"""

raise ImportError("Ray's processes do without it")
