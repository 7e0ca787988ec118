"""The links of the chain from a change to a device, and what can be found wrong with each."""
