"""The durable state: ledger, keys, devices."""
