"""The verbs of the command line, one file each: a module's ``command`` becomes ``geobench <module>``."""
