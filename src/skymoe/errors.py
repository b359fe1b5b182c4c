"""The one exception that means "the user can mend this"."""


class UserError(ValueError):
    """A mistake in what the user gave us: one line that names the value and the remedy.

    The command line prints it and exits with 2.
    """
