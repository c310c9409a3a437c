"""`authkit update`: a project at a newer version of its template, with the owner's edits kept.

`upgrade` is the story: render both versions, `merge` them with the owner's files as git merges
branches, then bring environment, database and tests up to date.
"""
