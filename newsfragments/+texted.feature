`pushgw device --mode sms`: a simulated phone that is woken by SMS, and is its own SMSC.
