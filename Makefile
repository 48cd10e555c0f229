# Thin over `cargo xtask`. packages.sh comes first because even cargo needs a linker.

.PHONY: demo test bench soak lint build setup

demo test bench soak lint build setup:
	@sh xtask/packages.sh
	@cargo xtask $@
