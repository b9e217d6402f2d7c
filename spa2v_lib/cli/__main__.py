from spa2v_lib.cli import main

main()
