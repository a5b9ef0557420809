"""The commands of `flowledger`, a module for each group of them, named in `engine.cli.program`."""
