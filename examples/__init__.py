"""Programs to read and to run: the demo, a mesh on one machine, a service on the runtime alone."""
