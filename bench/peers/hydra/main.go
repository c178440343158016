// Ory Hydra as it is, built from its own module; go.sum is made when it is built.
package main

import "github.com/ory/hydra/v2/cmd"

func main() { cmd.Execute() }
