"""A process of a campaign that dies at one task and hangs at another; apart, so that it imports little."""

import os
import time


def serve(pipe):
    for task in iter(pipe.recv, None):
        if task.number == 1:
            os._exit(1)
        if task.number == 2:
            time.sleep(600)
        pipe.send({})
