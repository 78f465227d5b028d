"""A pod with one container through the socket of a Container Runtime Interface.

The few messages that are needed are written by hand (protobuf over gRPC), so that no
client of Kubernetes has to be installed.

  cri.py SOCKET run POD NAMESPACE UID PARENT IMAGE NAME PROGRAM...   prints sandbox and container
  cri.py SOCKET stop SANDBOX
"""
import sys

import grpc


def number(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return number(field << 3 | 2) + number(len(value)) + value


def integer(field, value):
    return number(field << 3) + number(value)


def table(field, pairs):
    return b"".join(text(field, text(1, key) + text(2, value)) for key, value in pairs.items())


def first_text(message):
    """The first field of an answer: the id that was given."""
    length, shift, at = 0, 0, 1
    while True:
        length |= (message[at] & 127) << shift
        shift += 7
        at += 1
        if message[at - 1] < 128:
            return message[at : at + length].decode()


def main():
    socket, verb, *args = sys.argv[1:]
    channel = grpc.insecure_channel("unix://" + socket)

    def call(method, request):
        path = "/runtime.v1.RuntimeService/" + method
        return channel.unary_unary(path)(request, timeout=60)

    if verb == "stop":
        call("StopPodSandbox", text(1, args[0]))
        call("RemovePodSandbox", text(1, args[0]))
        return
    pod, namespace, uid, parent, image, name, *program = args
    labels = {
        "io.kubernetes.pod.name": pod,
        "io.kubernetes.pod.namespace": namespace,
        "io.kubernetes.pod.uid": uid,
    }
    # Network of the node (2): a machine of tests has no plugin for another.
    node = integer(1, 2)
    identity = text(1, pod) + text(2, uid) + text(3, namespace) + integer(4, 0)
    linux = text(1, parent) + text(2, text(1, node))
    sandbox_config = text(1, identity) + table(6, labels) + text(8, linux)
    sandbox = first_text(call("RunPodSandbox", text(1, sandbox_config)))
    config = text(1, text(1, name) + integer(2, 0)) + text(2, text(1, image))
    config += b"".join(text(3, word) for word in program)
    config += table(9, {**labels, "io.kubernetes.container.name": name})
    config += text(15, text(2, text(3, node)))
    request = text(1, sandbox) + text(2, config) + text(3, sandbox_config)
    container = first_text(call("CreateContainer", request))
    call("StartContainer", text(1, container))
    print(sandbox, container)


main()
