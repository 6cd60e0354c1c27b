def command(o): return 1
