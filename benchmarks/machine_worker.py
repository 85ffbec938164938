"""What the machine reaches, measured anew each round."""

import machine
import synthetic
from worker import Worker


def main() -> None:
    """Measure as the worker says."""
    worker = Worker()
    worker.versions("tensorflow")
    for place in range(worker.rounds):
        worker.start(place)
        adds, moved = machine.multiply_adds_per_second(synthetic.DIM), machine.bytes_per_second()
        worker.finish(multiply_adds_per_second=adds, bytes_per_second=moved)


main()
