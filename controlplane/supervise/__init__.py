"""The supervisor: starts the processes of a cloud, restarts what dies, stops all in order."""
