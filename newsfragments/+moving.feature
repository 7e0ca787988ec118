Who is safe to be moved from SMS to Direct Push is said in the section `[moving]` of the configuration; `pushgw rehearse` and
`pushgw compare` go by it.
