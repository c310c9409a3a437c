"""`authkit generate`: fields and a name become the files of a resource; all of them, or none.

Fields are read (`fields`), each has a kind (`kinds`), and what the skeleton of the project's
template asks about them is answered (`resource`, `context`). All is planned beside the project
(`plan`) and written in one step (`write`).
"""
