One access line for each request, the events 3002, 3016 and 3033, a log in JSON on request, Prometheus metrics, `pushgw devices`, reload and stop without dropping anybody.
