"""
The backend: one process with a REST API, background services and a database.

It keeps metadata only. It never loads a flow, never unpickles and never imports code of a user.
"""
