/** The PHP client, for the cases of model.ts. Each case has its own program. */
import { PHP_FILE } from "../../php/running.js";
import { keyFile } from "../../python/running.js";
import type { Kind } from "./model.js";
import { Program, programFile } from "./program-client.js";

const key = keyFile("rsa2048", "private");

export const phpClient: Kind = {
  name: "PHP",
  lacks: { conditions: true, close: true },
  open: ({ policy, calls }, servers) => {
    const program = new Program("php", [programFile("calls.php"), PHP_FILE], {});
    void program.order({ do: "open", servers, key });
    return Promise.resolve({
      call: () =>
        calls.map((call) =>
          program.order({ do: "call", ...call, policy: policy === "usual" ? "first" : policy }),
        ),
      close: () => {},
      finish: async () => {
        await program.order({ do: "finish" });
        await program.exit();
      },
      exit: () => program.exit(),
    });
  },
};
