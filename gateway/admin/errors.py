"""What can be wrong with what an operator asks."""


class Unknown(Exception):
    """There is no such device, or nothing that could be done to it; the message says what."""


class Refused(Exception):
    """It cannot be done as it was asked; the message says why and what to do."""
