"""The HTTP shell: the only place that knows ASGI, Starlette and the server."""
