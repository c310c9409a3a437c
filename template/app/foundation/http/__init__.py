"""The HTTP envelope: the layers that every request passes before its route is looked up.

Plain ASGI, because it runs on every request. The order of the layers is in app/application.py.
"""
