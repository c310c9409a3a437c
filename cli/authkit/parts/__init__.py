"""Adding a part to a project, or removing one: the merge of `update`, with other answers.

`change` says what is asked for and has it merged; `migrations` keeps the line of migrations whole,
whatever becomes of the part's; `report` says what it means for the owner.
"""
