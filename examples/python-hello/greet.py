import os


def greeting(name):
    return f'{os.environ["GREETING"]}, {name}!'
