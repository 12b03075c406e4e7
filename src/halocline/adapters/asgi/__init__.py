"""ASGI and uvicorn: the Open Inference Protocol over HTTP for the models of a table."""
