`Provision` with named device policies, exceptions per user, refresh, and remote wipe by `pushgw wipe`.
