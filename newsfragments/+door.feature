How an older server writes numbers and GUIDs in the triggers that it sends in can be said: `door_number`, `door_country`
and `door_guid` of an operator.
