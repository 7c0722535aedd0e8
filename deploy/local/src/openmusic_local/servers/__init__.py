"""The servers that the services need, each as a private instance with its own data and port."""
