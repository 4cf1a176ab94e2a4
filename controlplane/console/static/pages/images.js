// The machine images that can be launched.

import { listAll } from "../api.js";
import { badge, code, heading, table } from "../dom.js";

export async function show(container, signal) {
  container.append(heading("Images"));
  const images = await listAll("DescribeImages", "imagesSet", {}, signal);
  container.append(
    table(
      "Images",
      [
        ["Name", (each) => each.name],
        ["Image ID", (each) => code(each.imageId)],
        ["State", (each) => badge(each.imageState)],
        ["Owner", (each) => each.imageOwnerAlias || each.imageOwnerId],
        ["Architecture", (each) => each.architecture],
        ["Created", (each) => new Date(each.creationDate).toLocaleString()],
        ["Description", (each) => each.description],
      ],
      images,
      "No images yet: celaje image build tiny",
    ),
  );
}
