"""The HTTP envelope: what every request passes before the first route is looked up.

Plain ASGI, because it runs on every request. The order of the layers is in app/application.py.
"""
