"""What the studio and the server share: the models they hold, the options of one image, and who may connect.

Neither imports the other.
"""
