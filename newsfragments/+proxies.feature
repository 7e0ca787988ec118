A proxy on a Unix socket is believed when `https.trusted_proxies` names `unix`; a second SIGTERM cuts the farewell short.
