`FolderSync`, `Sync` for mail, `GetItemEstimate`: read marks, follow-up flags, categories and deletions in both directions, newest mail first, repeated requests answered again.
