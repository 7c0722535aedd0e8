"""``openmusic doctor``: what is wrong, and what to do about it. It only looks, at each server as the processes do."""
