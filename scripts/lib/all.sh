# shellcheck shell=bash
# Sources what the scripts share, in the order in which it builds up.
lib=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/lib/common.sh
source "$lib/common.sh"
# shellcheck source=scripts/lib/pins.sh
source "$lib/pins.sh"
# shellcheck source=scripts/lib/packages.sh
source "$lib/packages.sh"
# shellcheck source=scripts/lib/downloads.sh
source "$lib/downloads.sh"
