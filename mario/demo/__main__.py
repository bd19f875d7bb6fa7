import sys

from mario.demo.launcher import main

sys.exit(main(sys.argv[1:]))
