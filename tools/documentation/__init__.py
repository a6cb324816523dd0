"""The documentation site: its build, and the settings in its reference."""
