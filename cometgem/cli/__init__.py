"""The ``cometgem`` command."""
