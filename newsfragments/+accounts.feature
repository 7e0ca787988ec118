`pushgw init` and `pushgw user`: accounts with argon2 hashes, a memory of verified passwords, slowing of those who guess.
