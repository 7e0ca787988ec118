`ValidateCert`: certificates of people are verified, against those of the system or `smime.ca`.
