"""Held against tools that people have, with the real packages in a venv of its own: `make integrations`."""
