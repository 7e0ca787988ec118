Triggers go out by SMPP with two thirds of the work in the store: receipts are written together with the answers that they belong to, and the trace keeps one index instead of two.
