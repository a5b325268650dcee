"""Messages of gRPC, generated from the ``.proto`` files beside them; never changed by hand.

In ``src``: ``python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. eaa/transport/grpc/wire/*.proto``
"""
