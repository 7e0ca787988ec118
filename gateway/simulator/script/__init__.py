"""A phone that does what a script says, step by step, and tells whether the server answered as expected."""
