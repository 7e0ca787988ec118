`pushgw device`: a simulated phone against any EAS server, with networks that drop connections.
