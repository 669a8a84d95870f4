"""What happens by itself: each service is a function of the store and the time."""
