"""The parts of `vectors/generate.py`, one module per file of vectors."""
