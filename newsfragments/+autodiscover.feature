Autodiscover, in XML and in JSON: a phone needs no more than an address and a password. See the howto for DNS and proxies.
